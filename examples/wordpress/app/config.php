<?php

// The site's configuration: the same for every branch. `db` and `cache` are names of this
// environment, and who may talk to them is said by their security groups, so there is no password.

define('DB_HOST', 'db');
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', '');
define('DB_CHARSET', 'utf8mb4');

// A restored database holds the addresses of the site that it comes from. This one is wherever its
// visitor has found it; the proxy in front lets only this environment's names through.
$_SERVER['HTTP_HOST'] = ($_SERVER['HTTP_HOST'] ?? 'localhost') . ($_SERVER['SITE_PORT'] ?? '');
define('WP_HOME', 'http://' . $_SERVER['HTTP_HOST']);
define('WP_SITEURL', WP_HOME);

// WordPress itself is the package's; what is ours lies beside this file.
define('WP_CONTENT_DIR', '/srv/wordpress/current/wp-content');
define('WP_CONTENT_URL', WP_HOME . '/wp-content');
define('WP_DEFAULT_THEME', 'journal');

// Code comes with a deploy and in no other way, and there is no way out to the Internet.
define('WP_ALLOW_MULTISITE', false);
define('DISALLOW_FILE_MODS', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
