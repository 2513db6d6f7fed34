# bash: a pipeline, background jobs, a trap, a co-process, and a child that waits to be reaped.
cat > work.sh << 'BASH'
numbers() { for i in $(seq 1 60); do echo $i; sleep 0.02; done; }
trap 'told=yes' USR1
coproc ADDER { while read -r n; do echo $((n + 1)); done; }
(sleep 0.3; kill -USR1 $$) &
jobs=()
for n in 1 2 3; do (sleep 0.$n; exit $n) & jobs+=($!); done
sum=$(numbers | tee copy | (s=0; while read -r n; do s=$((s + n)); done; echo $s))
[ "$sum" = 1830 ] || exit 3
[ "$(wc -l < copy)" = 60 ] || exit 4
for n in 1 2 3; do
  wait "${jobs[n - 1]}"
  [ $? = $n ] || exit 5
done
[ "$told" = yes ] || exit 6
until [ -e end ]; do sleep 0.01; done
echo 41 >&"${ADDER[1]}"
read -r answer <&"${ADDER[0]}"
exit "$answer"
BASH
start bash work.sh
for round in 1 2 3; do
  a_moment 300
  trip
done
ends_with 42
same "what it said" "$(sed '/^restored/d' output)" ""
