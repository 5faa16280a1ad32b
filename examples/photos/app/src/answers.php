<?php

declare(strict_types=1);

// Which answer a request gets.

const PHOTOS_ON_PAGE = 24;
const LIMIT_MAX = 100;

/** Answer one request, whatever happens. */
function answer(string $method, string $path, array $query): void
{
    try {
        if (!in_array($method, ['GET', 'HEAD'], true)) {
            header('Allow: GET, HEAD');
            send_json(405, ['error' => "$method is not allowed here; use GET"]);
        } elseif (preg_match('#^/api/users/([0-9]{1,9})$#D', $path, $match)) {
            answer_user((int) $match[1]);
        } else {
            match ($path) {
                '/' => answer_page(),
                '/api/photos' => answer_photos($query['limit'] ?? '20'),
                '/api/stats' => answer_stats(),
                '/health' => answer_health(),
                default => answer_missing($path),
            };
        }
    } catch (PDOException $error) {
        answer_failed($path, 'db', $error);
    } catch (RedisException $error) {
        answer_failed($path, 'feed', $error);
    }
}

function answer_page(): void
{
    $database = new Database();
    $feed = new Feed();
    send_html(200, feed_page([
        'views' => $feed->count_view(),
        'counts' => $feed->row_counts($database),
        'photos' => $database->photos($feed->photo_ids($database, PHOTOS_ON_PAGE)),
        'users' => $database->busiest_users(6),
        'albums' => $database->newest_albums(6),
        'panel' => feature_panel($database),
    ]));
}

function answer_photos(mixed $limit): void
{
    if (!is_string($limit) || !preg_match('/^[0-9]{1,3}$/D', $limit) || $limit < 1 || $limit > LIMIT_MAX) {
        send_json(400, ['error' => 'limit must be a number from 1 to ' . LIMIT_MAX]);
        return;
    }
    $database = new Database();
    $photos = $database->photos((new Feed())->photo_ids($database, (int) $limit));
    send_json(200, ['photos' => array_map(photo_json(...), $photos)]);
}

function photo_json(array $photo): array
{
    return [
        'id' => (int) $photo['id'],
        'caption' => $photo['caption'],
        'place' => $photo['place'],
        'uploaded_at' => iso_time($photo['uploaded_at']),
        'user' => ['id' => (int) $photo['user_id'], 'username' => $photo['username']],
        'likes' => (int) $photo['likes'],
        'comments' => (int) $photo['comments'],
    ] + feature_fields($photo);
}

function answer_user(int $id): void
{
    $user = (new Database())->user($id);
    if ($user === null) {
        send_json(404, ['error' => "there is no user $id"]);
        return;
    }
    $user['joined_at'] = iso_time($user['joined_at']);
    send_json(200, $user);
}

function answer_stats(): void
{
    $database = new Database();
    $feed = new Feed();
    $counts = $feed->row_counts($database);
    send_json(200, [
        'rows' => array_sum($counts),
        'tables' => $counts,
        'page_views' => $feed->views(),
        'machine' => machine_name(),
        'role' => fact('role'),
        'branch' => fact('branch'),
        'code' => CODE_OF,
    ]);
}

/** 200 only when both MariaDB and Redis answer; otherwise 503 and which of them did not. */
function answer_health(): void
{
    $health = [];
    foreach (['db' => new Database(), 'feed' => new Feed()] as $name => $service) {
        try {
            $service->ping();
            $health[$name] = 'ok';
        } catch (PDOException | RedisException $error) {
            $health[$name] = $error->getMessage();
        }
    }
    $failed = array_keys(array_filter($health, fn ($state) => $state !== 'ok'));
    $body = $failed === [] ? ['status' => 'ok'] : ['status' => 'failed', 'failed' => $failed];
    send_json($failed === [] ? 200 : 503, $body + ['services' => $health]);
}

function answer_missing(string $path): void
{
    if (wants_json($path)) {
        send_json(404, ['error' => "there is nothing at $path"]);
    } else {
        send_html(404, message_page('Not found', "There is nothing at $path."));
    }
}

function answer_failed(string $path, string $service, Exception $error): void
{
    error_log("$service: {$error->getMessage()}");
    if (wants_json($path)) {
        send_json(503, ['error' => "$service does not answer as it should", 'failed' => [$service]]);
    } else {
        send_html(503, message_page('Not now', "“{$service}” does not answer as it should."));
    }
}

function wants_json(string $path): bool
{
    return str_starts_with($path, '/api/') || !str_contains($_SERVER['HTTP_ACCEPT'] ?? '', 'text/html');
}

/** MariaDB's DATETIME, which is UTC here, in ISO 8601. */
function iso_time(string $datetime): string
{
    return str_replace(' ', 'T', $datetime) . 'Z';
}

function send_json(int $status, array $body): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    // A path in a message may hold bytes that are no UTF-8: they must not turn a 404 into a 500.
    $flags = JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;
    echo json_encode($body, $flags | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR), "\n";
}

function send_html(int $status, string $html): void
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    echo $html;
}
