<?php

declare(strict_types=1);

// What this branch has beside the feed itself. On master: nothing.

const CODE_OF = 'master';
const ACCENT_HUE = 168;

/** HTML above the feed. */
function feature_panel(Database $database): string
{
    return '';
}

/** Fields that a photo has in the API beside the usual ones. */
function feature_fields(array $photo): array
{
    return [];
}
