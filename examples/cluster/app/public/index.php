<?php

declare(strict_types=1);

// Says which machine answers. nginx sends every request here, whatever its path.

$facts = json_decode((string) @file_get_contents('/etc/greenroom/facts.json'), true);
$machine = is_array($facts) ? (string) ($facts['machine'] ?? '') : '';
$branch = is_array($facts) ? (string) ($facts['branch'] ?? '') : '';

header('Cache-Control: no-store');
switch (parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH)) {
    case '/health':
        http_response_code($machine === '' ? 503 : 200);
        echo $machine === '' ? "no facts\n" : "ok\n";
        break;
    case '/':
        header('Content-Type: text/plain; charset=utf-8');
        echo "$machine of branch $branch answers\n";
        break;
    default:
        http_response_code(404);
        echo "not found\n";
}
