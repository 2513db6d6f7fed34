# sqlite3: a transaction that is under way is carried on, nobody else may write meanwhile, and what it wrote
# is all there.
for journal in delete wal; do
  {
    echo "PRAGMA journal_mode = $journal; PRAGMA cache_size = 5;"
    echo "CREATE TABLE numbers (n INTEGER PRIMARY KEY, filling); BEGIN IMMEDIATE;"
    for ((n = 0; n < 40; n++)); do
      echo "INSERT INTO numbers SELECT value, hex(randomblob(200))"
      echo "  FROM generate_series($n * 20 + 1, $n * 20 + 20);"
      echo "SELECT count(*) FROM numbers;"
      echo ".shell sleep 0.01"
    done
    echo ".shell until [ -e end ]; do sleep 0.01; done"
    echo "COMMIT;"
  } > commands
  rm -f end
  : > output
  start sqlite3 "$journal.db" '.read commands'
  until_true grep -qx 20 output
  for round in 1 2 3; do
    a_moment 80
    trip
    if sqlite3 "$journal.db" 'INSERT INTO numbers VALUES (100000, 0);' 2> refusal; then false; fi
    grep -q 'database is locked' refusal
  done
  ends_with 0
  same "what it counted" "$(grep -cE '^[0-9]+$' output)" 40
  same "what is there" "$(sqlite3 "$journal.db" 'PRAGMA integrity_check; SELECT count(*), sum(n), min(length(filling)) FROM numbers')" \
    "ok
800|320400|400"
done
