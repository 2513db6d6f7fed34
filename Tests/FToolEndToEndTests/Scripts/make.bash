# make -j2: builds what it was asked to build, each thing once, in order.
cat > Makefile << 'MAKE'
SHELL = /bin/bash
parts = $(foreach n,1 2 3 4 5 6 7 8 9 10 11 12,part$n)
whole: $(parts)
	cat $^ > whole; until [ -e end ]; do sleep 0.01; done
	echo whole >> steps
part%: half% other%
	sleep 0.0$*; cat half$* other$* > $@; echo $@ >> steps
half%:
	seq 1 $*000 | sort -r | (sleep 0.05; sort -n) > $@; echo $@ >> steps
other%:
	@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) inner$* && echo $@ >> steps && touch $@
inner%:
	(echo inner; sleep 0.03) > $@; echo $@ >> steps
.SECONDARY:
MAKE
start make -j2 whole
until_true test -s steps
for round in 1 2 3; do
  a_moment 200
  trip
done
ends_with 0
same "the steps" "$(sort steps | uniq -d)$(wc -l < steps)" 49
same "the last step" "$(tail -n 1 steps)" whole
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do seq 1 ${n}000; done | cmp - whole
