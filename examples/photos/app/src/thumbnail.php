<?php

declare(strict_types=1);

// A photo's picture, drawn from its scene, hue and id: the example needs no image files.

/** A number from 0 to $below - 1 that depends on nothing but its arguments. */
function drawn(int $id, int $n, int $below): int
{
    return crc32("$id:$n") % $below;
}

/** An inline SVG; all that goes into it is numbers. */
function thumbnail(array $photo): string
{
    $id = (int) $photo['id'];
    // From teal over blue and violet to orange: no sky is green.
    $hue = (175 + intdiv((int) $photo['hue'] * 225, 360)) % 360;
    $night = $photo['scene'] === 'night';
    $sky = $night ? [[230, 45, 12], [255, 40, 30]] : [[$hue, 58, 62], [($hue + 35) % 360, 75, 86]];
    $parts = [sprintf(
        '<defs><linearGradient id="s%d" x1="0" y1="0" x2="0" y2="1"><stop stop-color="%s"/>'
        . '<stop offset="1" stop-color="%s"/></linearGradient></defs>'
        . '<rect width="320" height="240" fill="url(#s%d)"/>',
        $id, hsl(...$sky[0]), hsl(...$sky[1]), $id,
    )];
    $parts[] = sprintf(
        '<circle cx="%d" cy="%d" r="%d" fill="%s"/>',
        40 + drawn($id, 1, 240), 40 + drawn($id, 2, 60), 14 + drawn($id, 3, 14),
        $night ? '#f4f1de' : hsl(($hue + 50) % 360, 95, 92),
    );
    $parts[] = match ($photo['scene']) {
        'mountain' => layers($id, $hue, 3, 60, 6),
        'forest' => layers($id, 140, 3, 34, 24),
        'desert' => layers($id, 30, 3, 22, 4),
        'sea' => sea($id, $hue),
        'city' => houses($id, $hue, 45),
        default => stars($id) . houses($id, 240, 14),
    };
    return '<svg viewBox="0 0 320 240" role="img" aria-hidden="true">' . implode('', $parts) . '</svg>';
}

function hsl(int $hue, int $saturation, int $lightness): string
{
    return "hsl($hue,$saturation%,$lightness%)";
}

/** Ridges one before the other, each darker than the one behind it. */
function layers(int $id, int $hue, int $count, int $height, int $steps): string
{
    $svg = '';
    for ($layer = 0; $layer < $count; $layer++) {
        $base = 130 + $layer * 35;
        $points = ['0,240'];
        for ($step = 0; $step <= $steps; $step++) {
            $peak = $step % 2 === 0 ? 0 : $height;
            $y = $base - $peak + drawn($id, 10 + $layer * 40 + $step, 30);
            $points[] = sprintf('%d,%d', intdiv(320 * $step, $steps), $y);
        }
        $points[] = '320,240';
        $svg .= sprintf(
            '<polygon points="%s" fill="%s"/>', implode(' ', $points), hsl($hue, 35, 52 - $layer * 14),
        );
    }
    return $svg;
}

function sea(int $id, int $hue): string
{
    $svg = sprintf('<rect y="150" width="320" height="90" fill="%s"/>', hsl(205, 55, 38));
    for ($wave = 0; $wave < 7; $wave++) {
        $svg .= sprintf(
            '<rect x="%d" y="%d" width="%d" height="3" rx="1.5" fill="%s" opacity=".5"/>',
            drawn($id, 20 + $wave, 240), 160 + $wave * 11, 30 + drawn($id, 30 + $wave, 70),
            hsl(($hue + 50) % 360, 80, 85),
        );
    }
    $x = 40 + drawn($id, 40, 200);
    return $svg . sprintf(
        '<path d="M%d 150h50l-9 12h-32zM%d 146v-52l26 52z" fill="#fdfcf7"/>', $x, $x + 22,
    );
}

function houses(int $id, int $hue, int $lightness): string
{
    $svg = '';
    for ($x = 0, $n = 0; $x < 320; $n++) {
        $width = 26 + drawn($id, 50 + $n, 30);
        $top = 90 + drawn($id, 70 + $n, 80);
        $svg .= sprintf(
            '<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>',
            $x, $top, $width, 240 - $top, hsl($hue, 25, $lightness - 12 + drawn($id, 90 + $n, 14)),
        );
        for ($y = $top + 10; $y < 226; $y += 20) {
            if (drawn($id, $n * 100 + $y, 3) > 0) {
                $svg .= sprintf('<rect x="%d" y="%d" width="8" height="9" fill="#ffe9a8" opacity=".8"/>', $x + 8, $y);
            }
        }
        $x += $width + 2;
    }
    return $svg;
}

function stars(int $id): string
{
    $svg = '';
    for ($n = 0; $n < 24; $n++) {
        $svg .= sprintf(
            '<circle cx="%d" cy="%d" r="1.2" fill="#fff"/>', drawn($id, 200 + $n, 320), drawn($id, 300 + $n, 110),
        );
    }
    return $svg;
}
