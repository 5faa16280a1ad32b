# What a machine becomes is told by its role, which it learns from its tags.
node default {
  include "role::${facts['role']}"
}
