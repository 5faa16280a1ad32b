<?php

declare(strict_types=1);

// Everything that the site asks of MariaDB.

const TIMEOUT_S = 1;
const TABLES = ['users', 'follows', 'photos', 'albums', 'album_photos', 'likes', 'comments'];
const NO_SUCH_TABLE = '42S02';

final class Database
{
    private ?PDO $connection = null;

    private function connection(): PDO
    {
        if ($this->connection === null) {
            $host = getenv('PHOTOS_DB_HOST') ?: 'db';
            $this->connection = new PDO("mysql:host=$host;dbname=photos;charset=utf8mb4", 'photos', '', [
                PDO::ATTR_TIMEOUT => TIMEOUT_S,
                PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
                PDO::ATTR_EMULATE_PREPARES => false,
            ]);
        }
        return $this->connection;
    }

    /** The rows of a prepared statement. */
    private function rows(string $sql, array $values = []): array
    {
        try {
            $statement = $this->connection()->prepare($sql);
            $statement->execute($values);
            return $statement->fetchAll();
        } catch (PDOException $error) {
            // An environment that was created with an empty database is a choice, not a fault.
            if ($error->getCode() === NO_SUCH_TABLE) {
                return [];
            }
            throw $error;
        }
    }

    public function ping(): void
    {
        $this->rows('SELECT 1');
    }

    /** Ids of the newest photos, newest first. */
    public function recent_photo_ids(int $limit): array
    {
        $sql = 'SELECT id FROM photos ORDER BY uploaded_at DESC, id DESC LIMIT ?';
        return array_column($this->rows($sql, [$limit]), 'id');
    }

    /** The photos with these ids, in this order; an id without a photo is left out. */
    public function photos(array $ids): array
    {
        if ($ids === []) {
            return [];
        }
        $marks = implode(',', array_fill(0, count($ids), '?'));
        $found = $this->rows(
            "SELECT p.id, p.caption, p.scene, p.hue, p.place, p.uploaded_at,
                    u.id AS user_id, u.username, u.name AS user_name,
                    (SELECT COUNT(*) FROM likes l WHERE l.photo_id = p.id) AS likes,
                    (SELECT COUNT(*) FROM comments c WHERE c.photo_id = p.id) AS comments
               FROM photos p JOIN users u ON u.id = p.user_id
              WHERE p.id IN ($marks)",
            $ids,
        );
        $by_id = array_column($found, null, 'id');
        return array_values(array_filter(array_map(fn ($id) => $by_id[$id] ?? null, $ids)));
    }

    /** A user with counts, or null. */
    public function user(int $id): ?array
    {
        $sql = 'SELECT u.id, u.username, u.name, u.city, u.bio, u.joined_at,
                       (SELECT COUNT(*) FROM photos p WHERE p.user_id = u.id) AS photos,
                       (SELECT COUNT(*) FROM albums a WHERE a.user_id = u.id) AS albums,
                       (SELECT COUNT(*) FROM follows f WHERE f.followed_id = u.id) AS followers
                  FROM users u WHERE u.id = ?';
        return $this->rows($sql, [$id])[0] ?? null;
    }

    /** Who has put up most photos. */
    public function busiest_users(int $limit): array
    {
        return $this->rows(
            'SELECT u.id, u.username, u.name, u.city, busy.photos
               FROM (SELECT user_id, COUNT(*) AS photos FROM photos
                      GROUP BY user_id ORDER BY photos DESC, user_id LIMIT ?) busy
               JOIN users u ON u.id = busy.user_id
              ORDER BY busy.photos DESC, u.id',
            [$limit],
        );
    }

    /** The newest public albums. */
    public function newest_albums(int $limit): array
    {
        return $this->rows(
            "SELECT a.id, a.title, a.created_at, u.username,
                    (SELECT COUNT(*) FROM album_photos ap WHERE ap.album_id = a.id) AS photos
               FROM (SELECT * FROM albums WHERE visibility = 'public'
                      ORDER BY id DESC LIMIT ?) a
               JOIN users u ON u.id = a.user_id
              ORDER BY a.id DESC",
            [$limit],
        );
    }

    /** Of the newest public albums those whose photos are liked most, with their first photos. */
    public function top_albums(int $limit): array
    {
        $albums = $this->rows(
            "SELECT a.id, a.title, u.username, COUNT(l.user_id) AS likes,
                    COUNT(DISTINCT ap.photo_id) AS photos
               FROM (SELECT * FROM albums WHERE visibility = 'public'
                      ORDER BY id DESC LIMIT 200) a
               JOIN users u ON u.id = a.user_id
               JOIN album_photos ap ON ap.album_id = a.id
               JOIN likes l ON l.photo_id = ap.photo_id
              GROUP BY a.id, a.title, u.username
              ORDER BY likes DESC, a.id LIMIT ?",
            [$limit],
        );
        $covers = 'SELECT p.id, p.scene, p.hue FROM album_photos ap JOIN photos p ON p.id = ap.photo_id
                    WHERE ap.album_id = ? ORDER BY ap.position LIMIT 3';
        return array_map(fn ($a) => $a + ['covers' => $this->rows($covers, [$a['id']])], $albums);
    }

    /** How many rows each table has. */
    public function row_counts(): array
    {
        $counts = [];
        foreach (TABLES as $table) {
            $counts[$table] = (int) ($this->rows("SELECT COUNT(*) AS n FROM `$table`")[0]['n'] ?? 0);
        }
        return $counts;
    }
}
