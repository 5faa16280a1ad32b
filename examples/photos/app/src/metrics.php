<?php

declare(strict_types=1);

// Counting requests in the statsd server that all environments share, if there is one.
//
// Nobody waits for it: the answer is out before anything is looked up or sent. And nobody misses
// it: a name that does not resolve and a datagram that is turned away are no errors here.

const METRICS_PORT = 8125;

/** Count this request once it is answered; the agent's own health checks are none of ours. */
function count_request(string $path): void
{
    if ($path !== '/health') {
        register_shutdown_function(send_count(...));
    }
}

function send_count(): void
{
    if (function_exists('fastcgi_finish_request')) {
        fastcgi_finish_request();
    }
    $host = getenv('PHOTOS_METRICS_HOST') ?: 'metrics';
    $socket = @stream_socket_client("udp://$host:" . METRICS_PORT);
    if ($socket !== false) {
        // STACK.BRANCH.requests: the environment's name is two labels, neither has a dot.
        @fwrite($socket, str_replace('/', '.', fact('environment')) . '.requests:1|c');
    }
}
