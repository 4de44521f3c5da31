# Debian's ruby-statsd as people use it: ruby-statsd.rb HOST:PORT
require 'statsd'

host, port = ARGV[0].split(':')
srand(2)
s = Statsd.new(host, port.to_i).tap { |c| c.namespace = 'shop' }
s.increment 'orders'
s.count 'items', 3
s.decrement 'stock'
4.times { s.increment 'seen', 0.5 }
s.gauge 'carts', 5
s.gauge 'carts', '+3'
s.gauge 'debt', -7.5
s.gauge 'carts', 6, 0.999
s.timing 'checkout', 320
s.timing 'checkout', 0.125
s.set 'users', 'alice'
s.set 'users', 'bob', 0.999
s.increment 'Shop::Cart@a|b:c'
s.postfix = 'web-1'
s.batch { |b| 12.times { |i| b.increment "orders.#{i}" } }
# It compares bytes written with characters given, so it sends this one five times.
s.increment 'käufe'
