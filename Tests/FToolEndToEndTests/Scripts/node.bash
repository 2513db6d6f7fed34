# Node: an http server with timers, a worker thread and a child.
port=$(free_port)
cat > server.js << 'NODE'
const http = require('http'), { spawn } = require('child_process'), fs = require('fs')
const { Worker } = require('worker_threads')
let count = 0, ticks = 0, waiting = []
setInterval(() => ticks++, 10)
const worker = new Worker(
  'const { parentPort } = require("worker_threads"); parentPort.on("message", n => parentPort.postMessage(n * n))',
  { eval: true })
worker.on('message', square => waiting.shift()(square))
const child = spawn('cat')
const server = http.createServer((request, response) => {
  if (request.url == '/end') {
    response.end('bye', () => { child.stdin.end(); server.close(); worker.terminate() })
    child.on('exit', code => process.exit(code == 0 ? 42 : 1))
    return
  }
  count++
  waiting.push(square => {
    child.stdout.once('data', said => fs.readFile('server.js', (error, text) =>
      response.end(`${count} ${square} ${said} ${text.length} ${ticks > 0}`)))
    child.stdin.write(`child ${count}`)
  })
  worker.postMessage(count)
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))
NODE
start node server.js "$port"
until_true grep -q ready output
length=$(wc -c < server.js)
count=0
for round in 1 2 3; do
  for n in 1 2 3; do
    count=$((count + 1))
    same "an answer" "$(get "$port" "")" "$count $((count * count)) child $count $length true"
  done
  a_moment 100
  trip
done
count=$((count + 1))
same "an answer" "$(get "$port" "")" "$count $((count * count)) child $count $length true"
(sleep 1; get "$port" end > last) &
ends_with 42
