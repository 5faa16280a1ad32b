# What scripts/demo must know of this example.
branch=feature_x
create=(--machines balancer backend=3)

prepare() {
  ../pack artifacts/backend-master.tar.gz app
}

try_next() {
  cat <<TEXT
  for i in 1 2 3 4 5 6; do curl -s $url/; done      another backend each time
  greenroom exec $name backend2 -- s6-svc -d /etc/greenroom/service/nginx
  curl -s $url/                     the others go on;  $url/balancer shows it
  greenroom flows $name   finds it, and so does the balancer's own check
  greenroom exec $name backend2 -- s6-svc -u /etc/greenroom/service/nginx
  greenroom create --machines balancer backend=4 --branch bigger
TEXT
}
