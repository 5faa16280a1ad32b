<?php

declare(strict_types=1);

// The front controller: nginx sends every request here, whatever its path.

foreach (['facts', 'database', 'feed', 'features', 'thumbnail', 'page', 'answers'] as $file) {
    require __DIR__ . "/../src/$file.php";
}

header('X-Content-Type-Options: nosniff');
header("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:");
header('Cache-Control: no-store');

$path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH);
answer($_SERVER['REQUEST_METHOD'] ?? 'GET', is_string($path) ? $path : '/', $_GET);
