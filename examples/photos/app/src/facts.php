<?php

declare(strict_types=1);

// Who this machine is. The agent has asked the metadata service and left the answers in a file.

const FACTS_FILE = '/etc/greenroom/facts.json';

/** The machine's facts as text; what is not known is absent. */
function facts(): array
{
    static $facts = null;
    if ($facts === null) {
        $text = @file_get_contents(getenv('GREENROOM_FACTS') ?: FACTS_FILE);
        $read = $text === false ? null : json_decode($text, true);
        $facts = is_array($read) ? $read : [];
    }
    return $facts;
}

/** One fact, also when it stands among the tags; '' when it is not known. */
function fact(string $name): string
{
    $value = facts()[$name] ?? facts()['tags'][$name] ?? '';
    return is_scalar($value) ? (string) $value : '';
}

function machine_name(): string
{
    return fact('machine') ?: explode('.', (string) gethostname())[0];
}
