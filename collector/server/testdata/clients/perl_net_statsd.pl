# Perl's Net::Statsd (Debian: libnet-statsd-perl).
use strict;
use warnings;
use Net::Statsd;

($Net::Statsd::HOST, $Net::Statsd::PORT) = split /:/, $ARGV[0];
for my $i (1 .. 200) {
    Net::Statsd::increment('shop.orders');
    Net::Statsd::update_stats('shop.items', 3);
    Net::Statsd::timing('shop.checkout', $i);
}
Net::Statsd::increment([('shop.orders')]) for 1 .. 100;
Net::Statsd::gauge('shop.carts', 5, 'shop.carts', 7);
