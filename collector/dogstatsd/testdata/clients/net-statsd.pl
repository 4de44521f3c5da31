# Perl's Net::Statsd as people use it: net-statsd.pl HOST:PORT
use strict;
use warnings;
use Net::Statsd;

($Net::Statsd::HOST, $Net::Statsd::PORT) = split /:/, $ARGV[0];
srand(2);
Net::Statsd::increment('shop.orders');
Net::Statsd::update_stats('shop.items', 3);
Net::Statsd::update_stats(['shop.both'], 0.25);
Net::Statsd::decrement('shop.stock');
Net::Statsd::increment('shop.seen', 0.5) for 1 .. 4;
Net::Statsd::gauge('shop.carts' => 5, 'shop.carts' => '+3', 'shop.carts' => 1e-7);
Net::Statsd::gauge('shop.debt' => -7.5);
Net::Statsd::timing('shop.checkout', 320.7);
Net::Statsd::timing('shop.checkout', 12, 0.999);
Net::Statsd::send({ 'shop.users' => 'alice|s' }, 0.999);
