<?php

declare(strict_types=1);

// The site's HTML. Every text from outside goes through h().

function h(mixed $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

function n(int $number): string
{
    return number_format($number);
}

function feed_page(array $data): string
{
    $rows = array_sum($data['counts']);
    $photos = implode('', array_map(photo_card(...), $data['photos']));
    $feed = $photos !== '' ? "<div class=\"grid\">$photos</div>" : empty_feed($rows);
    $figures = figures(['rows restored' => $rows] + $data['counts'] + ['page views' => $data['views']]);
    $users = listing('Busiest people', $data['users'], user_line(...));
    $albums = listing('New albums', $data['albums'], album_line(...));
    return document('photos', <<<HTML
        $figures
        {$data['panel']}
        <div class="columns">
          <section><h2>Recent photos</h2>$feed</section>
          <aside>$users$albums</aside>
        </div>
        HTML);
}

function empty_feed(int $rows): string
{
    return $rows === 0
        ? '<p class="quiet">The database is empty: this environment was created without a restore.</p>'
        : '<p class="quiet">No photos yet.</p>';
}

function figures(array $figures): string
{
    $html = '';
    foreach ($figures as $name => $figure) {
        $html .= sprintf('<div><b>%s</b><span>%s</span></div>', n($figure), h(str_replace('_', ' ', $name)));
    }
    return "<div class=\"figures\">$html</div>";
}

function photo_card(array $photo): string
{
    return sprintf(
        '<article class="card">%s<div class="about"><p class="caption">%s</p>'
        . '<p class="quiet"><a href="/api/users/%d">@%s</a> · %s</p>'
        . '<p class="quiet counts"><span title="likes">♥ %s</span> <span title="comments">✎ %s</span>'
        . '<time datetime="%s">%s</time></p></div></article>',
        thumbnail($photo), h($photo['caption']), $photo['user_id'], h($photo['username']),
        h($photo['place']), n((int) $photo['likes']), n((int) $photo['comments']),
        h(iso_time($photo['uploaded_at'])), h(date_of($photo['uploaded_at'])),
    );
}

function user_line(array $user): string
{
    return sprintf(
        '<a href="/api/users/%d">%s</a><span class="quiet">%s photos</span>',
        $user['id'], h($user['name']), n((int) $user['photos']),
    );
}

function album_line(array $album): string
{
    return sprintf(
        '<span>%s</span><span class="quiet">%s by @%s</span>',
        h($album['title']), n((int) $album['photos']), h($album['username']),
    );
}

function listing(string $title, array $rows, callable $line): string
{
    $items = implode('', array_map(fn ($row) => '<li>' . $line($row) . '</li>', $rows));
    return $items === '' ? '' : sprintf('<section class="panel"><h2>%s</h2><ul>%s</ul></section>', h($title), $items);
}

function date_of(string $datetime): string
{
    return (new DateTimeImmutable($datetime))->format('j M Y');
}

function message_page(string $title, string $message): string
{
    return document($title, sprintf('<section class="panel"><h2>%s</h2><p>%s</p></section>', h($title), h($message)));
}

/** The frame of every page: which branch, role and machine answers stands at its top. */
function document(string $title, string $body): string
{
    $style = file_get_contents(__DIR__ . '/style.css');
    $branch = fact('branch') ?: CODE_OF;
    $code = $branch === CODE_OF ? '' : '<span class="pill">code of ' . h(CODE_OF) . '</span>';
    $role = fact('role') === '' ? '' : '<span class="pill">role ' . h(fact('role')) . '</span>';
    [$title, $branch, $machine, $hue] = [h($title), h($branch), h(machine_name()), ACCENT_HUE];
    return <<<HTML
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>$title · $branch</title>
        <link rel="icon" href="data:,">
        <style>:root{--hue:$hue}
        $style</style>
        </head>
        <body>
        <header>
          <a class="brand" href="/"><i></i>photos</a>
          <span class="pill strong">branch $branch</span>$code$role<span class="pill">machine $machine</span>
          <nav><a href="/api/photos?limit=5">photos</a><a href="/api/stats">stats</a><a href="/health">health</a></nav>
        </header>
        <main>$body</main>
        </body>
        </html>

        HTML;
}
