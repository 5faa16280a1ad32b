# What scripts/demo must know of this example.
branch=feature_x
create=(--machines backend db feed --restore_db extract)

prepare() {
  python3 make_artifacts.py
  python3 make_data.py
}

try_next() {
  cat <<TEXT
  curl $url/api/stats
  greenroom show $name          its phases, its restore, its proof
  greenroom flows $name         who may reach whom, probed again now
  greenroom shell $name backend1
  greenroom create --machines backend db feed --branch master
  greenroom destroy $name
TEXT
}
