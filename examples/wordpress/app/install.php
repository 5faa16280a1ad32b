<?php

declare(strict_types=1);

// Makes what the site needs of its database, before the web server serves anybody: an empty
// database gets WordPress and the first posts, another one the package's newest tables. Run again,
// it does nothing.

const TITLE = 'The Green Journal';
const WAIT_S = 60;

// The database boots at the same time as this machine.
require_once __DIR__ . '/config.php';
mysqli_report(MYSQLI_REPORT_OFF);
for ($end = microtime(true) + WAIT_S; !@mysqli_connect(DB_HOST, DB_USER, DB_PASSWORD, DB_NAME); usleep(50_000)) {
    if (microtime(true) > $end) {
        fwrite(STDERR, 'install: the database does not answer: ' . mysqli_connect_error() . "\n");
        exit(1);
    }
}

/** The package would send its administrator a letter; nothing gets out of here. */
function wp_new_blog_notification(): void
{
}

define('WP_INSTALLING', true);
// Of what goes wrong here a deploy tells the last lines: PHP's own words, and not a page for visitors.
define('WP_DISABLE_FATAL_ERROR_HANDLER', true);
require '/usr/share/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

if (is_blog_installed()) {
    wp_upgrade();
    // What the former code has left there, such as the style sheet of its theme.
    wp_cache_flush();
    echo "install: the site is there\n";
    exit(0);
}

// Asked for first, so that the installer does not go looking which form this server understands.
add_filter('pre_option_permalink_structure', fn () => '/%postname%/');
wp_install(TITLE, 'editor', 'editor@greenjournal.example', true, '', 'greenroom');
remove_all_filters('pre_option_permalink_structure');
update_option('permalink_structure', '/%postname%/');
update_option('blogdescription', 'Notes from a garden');
switch_theme('journal');
wp_delete_post(1, true);
wp_delete_post(2, true);

$author = wp_insert_user([
    'user_login' => 'ada', 'user_pass' => wp_generate_password(24), 'role' => 'author',
    'user_email' => 'ada@greenjournal.example', 'display_name' => 'Ada Gardener',
]);
foreach (glob(__DIR__ . '/posts/*.html') as $number => $file) {
    [$title, $content] = explode("\n", file_get_contents($file), 2);
    $post = wp_insert_post([
        'post_title' => $title, 'post_content' => $content, 'post_status' => 'publish',
        'post_author' => $author, 'post_date' => sprintf('2026-0%d-01 08:00:00', $number + 3),
    ], true);
    if (is_wp_error($post)) {
        fwrite(STDERR, "install: $file: " . $post->get_error_message() . "\n");
        exit(1);
    }
    wp_insert_comment([
        'comment_post_ID' => $post, 'comment_author' => 'Grace', 'comment_approved' => 1,
        'comment_author_email' => 'grace@neighbours.example', 'comment_author_IP' => '198.51.100.7',
        'comment_content' => 'So it is here, too.',
    ]);
}
flush_rewrite_rules(false);
echo "install: the site has been made\n";
