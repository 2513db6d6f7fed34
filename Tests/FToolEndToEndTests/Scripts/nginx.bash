# nginx: its workers answer on TCP and on a Unix socket, and obey the master.
port=$(free_port)
mkdir -m 777 www logs
seq 1 20000 > www/numbers
[ "$(id -u)" != 0 ] || [ ${#user[@]} != 0 ] || echo 'user root;' > conf
cat >> conf << CONF
daemon off; worker_processes 2; pid $PWD/pid; error_log $PWD/logs/error info;
events { worker_connections 64; }
http {
  access_log $PWD/logs/access;
  client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2; fastcgi_temp_path $PWD/t3;
  uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
  server { listen 127.0.0.1:$port; listen unix:$PWD/socket; root $PWD/www; }
}
CONF
start nginx -e "$PWD/logs/start" -p "$PWD" -c "$PWD/conf"
until_true get "$port" numbers
expected=$(cksum < www/numbers)
count=0
for round in 1 2 3; do
  for n in 1 2 3 4 5; do
    same "an answer" "$(get "$port" numbers | cksum)" "$expected"
    count=$((count + 1))
  done
  workers=$(cat "/proc/$pid/task/$pid/children")
  trip
  same "the workers" "$(cat "/proc/$pid/task/$pid/children")" "$workers"
  same "an answer" "$(get "$port" numbers | cksum)" "$expected"
  count=$((count + 1))
done
kill -HUP "$pid"
new_workers() { [ "$(wc -w < "/proc/$pid/task/$pid/children")" = 2 ] && ! kill -0 $workers; }
until_true new_workers
trip
same "an answer" "$(get "$port" numbers | cksum)" "$expected"
kill -QUIT "$pid"
until_true is_gone "$pid"
[ "$(grep -c 'GET /numbers.* 200' logs/access)" -gt "$count" ]
! grep -E '\[(emerg|alert|crit|error)\]' logs/error
