// Waits once, as its argument says, until a signal ends the wait: 9; or in vain.
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void note(int signal) { (void)signal; }

int main(int count, char **words) {
  (void)count;
  signal(SIGUSR1, note);
  int left = 0;
  if (!strcmp(words[1], "pause")) left = pause();
  else if (!strcmp(words[1], "sleep")) left = sleep(100) > 50 ? -1 : 0;
  else left = poll(NULL, 0, 100000);
  return left == -1 ? 9 : 1;
}
