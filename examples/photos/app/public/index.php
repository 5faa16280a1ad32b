<?php

declare(strict_types=1);

// The front controller: nginx sends every request here, whatever its path.

foreach (['facts', 'database', 'feed', 'features', 'thumbnail', 'page', 'metrics', 'answers'] as $file) {
    require __DIR__ . "/../src/$file.php";
}

header('X-Content-Type-Options: nosniff');
header("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:");
header('Cache-Control: no-store');

$path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH);
$path = is_string($path) ? $path : '/';
count_request($path);
answer($_SERVER['REQUEST_METHOD'] ?? 'GET', $path, $_GET);
