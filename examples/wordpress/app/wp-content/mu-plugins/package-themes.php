<?php

// Our theme is the child of one that Debian packages, and that lies where the package has put it.
register_theme_directory(ABSPATH . 'wp-content/themes');
