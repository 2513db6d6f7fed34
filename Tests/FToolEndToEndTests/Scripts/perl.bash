# perl: sockets, children and signals.
cat > work.pl << 'PERL'
use strict; use Socket; use IO::Handle; use POSIX ':sys_wait_h';
my ($alarms, $ended) = (0, 0);
$SIG{ALRM} = sub { $alarms++; alarm 1 };
$SIG{CHLD} = sub { while ((my $child = waitpid(-1, WNOHANG)) > 0) { $ended += $? >> 8 } };
socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
$ours->autoflush; $theirs->autoflush;
if (!fork) { close $ours; while (<$theirs>) { chomp; print $theirs $_ * $_, "\n" } exit 7 }
close $theirs;
alarm 1;
my ($sum, %seen) = (0);
for my $n (1 .. 100) {
  print $ours "$n\n"; my $square = <$ours>; $sum += $square; $seen{$n} = $square + 0;
  my $end = 0.015; while ($end > 0.001) { $end = select undef, undef, undef, $end; last if !$!{EINTR} }
}
select undef, undef, undef, 0.01 until -e 'end';
close $ours;
for (1 .. 200) { last if $ended; select undef, undef, undef, 0.01 }
exit 2 if $ended != 7;
exit 3 if $sum != 338350 || $seen{50} != 2500 || keys %seen != 100;
exit 4 if !$alarms;
exit 42;
PERL
start perl work.pl
for round in 1 2 3; do
  a_moment 300
  trip
done
ends_with 42
same "what it said" "$(sed '/^restored/d' output)" ""
