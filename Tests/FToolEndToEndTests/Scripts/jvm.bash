# A JVM: threads that collect garbage, wait for one another and for a clock.
cat > work.bsh << 'JAVA'
import java.util.concurrent.*;
map = new ConcurrentHashMap();
pool = Executors.newFixedThreadPool(4);
timer = Executors.newScheduledThreadPool(1);
ticks = new java.util.concurrent.atomic.AtomicInteger();
timer.scheduleAtFixedRate(new Runnable() { run() { ticks.incrementAndGet(); } }, 5, 5, TimeUnit.MILLISECONDS);
System.out.println("ready");
job(int n) {
  return new Callable() {
    call() {
      byte[] garbage = new byte[200000];
      garbage[n] = (byte) n;
      Thread.sleep(5);
      digest = java.security.MessageDigest.getInstance("SHA-256").digest(("" + n).getBytes());
      map.put("" + n, digest);
      return garbage[n] == (byte) n;
    }
  };
}
good = 0;
for (int n = 0; n < 200; n++) {
  if (pool.submit(job(n)).get()) good++;
}
while (!new java.io.File("end").exists()) Thread.sleep(5);
for (int n = 0; n < 200; n++) {
  digest = java.security.MessageDigest.getInstance("SHA-256").digest(("" + n).getBytes());
  if (!java.util.Arrays.equals(digest, map.get("" + n))) System.exit(3);
}
System.exit(good == 200 && ticks.get() > 50 ? 42 : 1);
JAVA
start bsh work.bsh
until_true grep -q ready output
for round in 1 2 3; do
  a_moment 200
  trip
done
ends_with 42
