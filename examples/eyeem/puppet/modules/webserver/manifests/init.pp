# nginx and PHP as the backend wants them. The supervisor of the machine starts them afterwards.
class webserver {
  file { '/etc/nginx/sites-available/default':
    source => 'puppet:///modules/webserver/site.conf',
  }

  file { '/etc/php/8.2/fpm/pool.d/www.conf':
    source => 'puppet:///modules/webserver/pool.conf',
  }
}
