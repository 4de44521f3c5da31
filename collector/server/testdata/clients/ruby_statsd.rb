# The client of Debian's ruby-statsd.
require 'statsd'

host, port = ARGV[0].split(':')
client = Statsd.new(host, port.to_i).tap { |c| c.namespace = 'shop' }
200.times do |i|
  client.increment('orders')
  client.count('items', 3)
  client.timing('checkout', i + 1)
end
client.gauge('carts', 7)
client.set('users', 'alice')
client.set('users', 'bob')
client.set('users', 'alice')
client.batch { |b| 100.times { b.increment('orders') } }
