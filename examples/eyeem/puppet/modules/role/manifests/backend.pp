# The web backend: PHP behind nginx, with the code of its branch.
class role::backend {
  include webserver

  deploy_codebase { '/var/www/backend':
    bucket   => 'code',
    filename => "backend-${facts['branch']}.tar.gz",
    restart  => ['php-fpm', 'nginx'],
  }
}
