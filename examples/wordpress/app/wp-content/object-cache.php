<?php

declare(strict_types=1);

// WordPress' object cache, kept in this environment's Redis: the drop-in that WordPress looks for
// (see its wp-includes/cache.php for what each function promises). Without a Redis that answers,
// every request has a cache of its own, and pages are merely slower.

/** What a request has seen already, and Redis behind it. */
final class WP_Object_Cache
{
    private const CONNECT_S = 0.5;

    /** @var array<string, mixed> */
    private array $seen = [];
    /** @var array<string, true> Groups that stay in this request. */
    private array $ours = [];
    private ?Redis $redis = null;

    public function __construct()
    {
        try {
            $redis = new Redis();
            $redis->connect('cache', 6379, self::CONNECT_S, null, 0, self::CONNECT_S);
            $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
            $this->redis = $redis;
        } catch (RedisException $error) {
            error_log('object cache: no Redis: ' . $error->getMessage());
        }
    }

    public function stay(array $groups): void
    {
        $this->ours += array_fill_keys($groups, true);
    }

    public function get(int|string $key, string $group, bool $force, ?bool &$found): mixed
    {
        $id = $this->id($key, $group);
        if (!array_key_exists($id, $this->seen) || ($force && $this->shared($group))) {
            unset($this->seen[$id]);
            $held = $this->shared($group) ? $this->ask(fn (Redis $redis) => $redis->get($id)) : null;
            // Everything is stored in a list of one: false is a value, too.
            if (is_array($held)) {
                $this->seen[$id] = $held[0];
            }
        }
        $found = array_key_exists($id, $this->seen);
        $value = $found ? $this->seen[$id] : false;
        return is_object($value) ? clone $value : $value;
    }

    public function set(int|string $key, mixed $value, string $group, int $expire): bool
    {
        $id = $this->id($key, $group);
        $this->seen[$id] = is_object($value) ? clone $value : $value;
        if ($this->shared($group)) {
            $options = $expire > 0 ? ['ex' => $expire] : [];
            $this->ask(fn (Redis $redis) => $redis->set($id, [$value], $options));
        }
        return true;
    }

    public function delete(int|string $key, string $group): bool
    {
        $this->get($key, $group, false, $found);
        $id = $this->id($key, $group);
        unset($this->seen[$id]);
        if ($this->shared($group)) {
            $this->ask(fn (Redis $redis) => $redis->del($id));
        }
        return (bool) $found;
    }

    public function flush(): bool
    {
        $this->seen = [];
        return (bool) $this->ask(fn (Redis $redis) => $redis->flushDB());
    }

    public function forget(): bool
    {
        $this->seen = [];
        return true;
    }

    private function id(int|string $key, string $group): string
    {
        return ($group ?: 'default') . ":$key";
    }

    private function shared(string $group): bool
    {
        return $this->redis !== null && !isset($this->ours[$group ?: 'default']);
    }

    private function ask(callable $what): mixed
    {
        try {
            return $this->redis === null ? null : $what($this->redis);
        } catch (RedisException $error) {
            error_log('object cache: Redis is gone: ' . $error->getMessage());
            $this->redis = null;
            return null;
        }
    }
}

function wp_cache_init(): void
{
    $GLOBALS['wp_object_cache'] = new WP_Object_Cache();
}

function wp_cache_get($key, $group = '', $force = false, &$found = null)
{
    return $GLOBALS['wp_object_cache']->get($key, $group, $force, $found);
}

function wp_cache_set($key, $data, $group = '', $expire = 0)
{
    return $GLOBALS['wp_object_cache']->set($key, $data, $group, (int) $expire);
}

function wp_cache_add($key, $data, $group = '', $expire = 0)
{
    if (wp_suspend_cache_addition()) {
        return false;
    }
    wp_cache_get($key, $group, false, $found);
    return !$found && wp_cache_set($key, $data, $group, $expire);
}

function wp_cache_replace($key, $data, $group = '', $expire = 0)
{
    wp_cache_get($key, $group, false, $found);
    return $found && wp_cache_set($key, $data, $group, $expire);
}

function wp_cache_delete($key, $group = '')
{
    return $GLOBALS['wp_object_cache']->delete($key, $group);
}

function wp_cache_incr($key, $offset = 1, $group = '')
{
    $value = wp_cache_get($key, $group, true, $found);
    if (!$found) {
        return false;
    }
    $value = max(0, (is_numeric($value) ? (int) $value : 0) + (int) $offset);
    wp_cache_set($key, $value, $group);
    return $value;
}

function wp_cache_decr($key, $offset = 1, $group = '')
{
    return wp_cache_incr($key, -(int) $offset, $group);
}

function wp_cache_flush()
{
    return $GLOBALS['wp_object_cache']->flush();
}

function wp_cache_flush_runtime()
{
    return $GLOBALS['wp_object_cache']->forget();
}

function wp_cache_supports($feature)
{
    return $feature === 'flush_runtime';
}

function wp_cache_add_non_persistent_groups($groups)
{
    $GLOBALS['wp_object_cache']->stay((array) $groups);
}

function wp_cache_add_global_groups($groups)
{
    // One site has no others to share with.
}

function wp_cache_switch_to_blog($blog_id)
{
}

function wp_cache_close()
{
    return true;
}
