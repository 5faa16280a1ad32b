<?php
// Debian's wp-config.php reads this file. What there is to configure comes with the code.
require_once '/srv/wordpress/current/config.php';
