<?php

declare(strict_types=1);

// The feed in Redis: the order of the newest photos, the page views, and counts that cost a scan.

const FEED_LENGTH = 100;
const ORDER_S = 60;
const COUNTS_S = 300;

final class Feed
{
    private ?Redis $connection = null;

    private function connection(): Redis
    {
        if ($this->connection === null) {
            $redis = new Redis();
            // The host's name may not resolve; phpredis then warns beside the exception.
            @$redis->connect(getenv('PHOTOS_FEED_HOST') ?: 'feed', 6379, TIMEOUT_S, null, 0, TIMEOUT_S);
            $this->connection = $redis;
        }
        return $this->connection;
    }

    public function ping(): void
    {
        $this->connection()->ping();
    }

    public function count_view(): int
    {
        return (int) $this->connection()->incr('page:views');
    }

    public function views(): int
    {
        return (int) $this->connection()->get('page:views');
    }

    /** The first ids of the feed; the first request fills it from the database. */
    public function photo_ids(Database $database, int $limit): array
    {
        $ids = $this->connection()->lRange('feed:recent', 0, $limit - 1);
        if ($ids === [] || $ids === false) {
            $ids = $this->fill($database->recent_photo_ids(FEED_LENGTH));
        }
        return array_map(intval(...), array_slice($ids, 0, $limit));
    }

    private function fill(array $ids): array
    {
        if ($ids !== []) {
            // One transaction: two requests that fill at once must not double the list.
            $this->connection()->multi()
                ->del('feed:recent')
                ->rPush('feed:recent', ...$ids)
                ->expire('feed:recent', ORDER_S)
                ->exec();
        }
        return $ids;
    }

    /** How many rows each table has, counted every few minutes. */
    public function row_counts(Database $database): array
    {
        $kept = $this->connection()->get('row:counts');
        if (is_string($kept)) {
            return json_decode($kept, true, 4, JSON_THROW_ON_ERROR);
        }
        $counts = $database->row_counts();
        if (array_sum($counts) > 0) {
            $this->connection()->setex('row:counts', COUNTS_S, json_encode($counts, JSON_THROW_ON_ERROR));
        }
        return $counts;
    }
}
