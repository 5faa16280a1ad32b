# A Redis without persistence: what it holds is made anew.
class redis {
  file { '/etc/redis/greenroom.conf':
    source => 'puppet:///modules/redis/redis.conf',
  }
}
