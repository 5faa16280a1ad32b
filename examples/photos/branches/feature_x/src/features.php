<?php

declare(strict_types=1);

// What this branch has beside the feed itself: the albums that people like most.

const CODE_OF = 'feature_x';
const ACCENT_HUE = 22;

/** HTML above the feed. */
function feature_panel(Database $database): string
{
    $albums = implode('', array_map(top_album(...), $database->top_albums(4)));
    return $albums === '' ? '' : <<<HTML
        <section class="panel"><h2>Top albums</h2><div class="albums">$albums</div></section>
        HTML;
}

function top_album(array $album): string
{
    return sprintf(
        '<div><div class="covers">%s</div><b>%s</b><p class="quiet">@%s · %s photos · ♥ %s</p></div>',
        implode('', array_map(thumbnail(...), $album['covers'])),
        h($album['title']), h($album['username']), n((int) $album['photos']), n((int) $album['likes']),
    );
}

/** Fields that a photo has in the API beside the usual ones. */
function feature_fields(array $photo): array
{
    $age_days = max(1, (time() - (int) strtotime($photo['uploaded_at'] . ' UTC')) / 86400);
    return ['likes_per_day' => round($photo['likes'] / $age_days, 3)];
}
