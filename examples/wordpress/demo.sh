# What scripts/demo must know of this example.
branch=feature_x
create=(--machines web db cache --restore_db extract)

# Production is made from nothing, and what the branch gets is an extract of it.
prepare() {
  ../pack artifacts/site-master.tar.gz app
  ../pack artifacts/site-feature_x.tar.gz app branches/feature_x
  ready master || greenroom create --restore db=none --branch master
  ./make_extract
}

try_next() {
  cat <<TEXT
  Look at $url and at ${url/feature-x/master}, which is production.
  Sign in at $url/wp-login.php as editor, password greenroom.
  greenroom show $name          what was restored, table by table
  greenroom exec $name cache1 -- redis-cli dbsize
  greenroom deploy $name        what you have uploaded stays
TEXT
}
