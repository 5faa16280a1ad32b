# The feed.
class role::redis {
  include redis
}
