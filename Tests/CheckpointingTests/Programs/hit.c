// Goes on until SIGUSR1 has come.
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t wasHit;
static void hit(int signal) { wasHit = signal; }

int main(void) {
  struct sigaction action = {.sa_handler = hit};
  sigaction(SIGUSR1, &action, NULL);
  if (write(1, "ready\n", 6) != 6) return 1;
  while (!wasHit) usleep(1000);
  return 42;
}
