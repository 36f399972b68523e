// Loaded into a node of the fault checker by NODE_OPTIONS: it makes the node connect from OWN_ADDRESS, so
// that the network can tell which node connects.
import { Socket } from 'node:net'

const { connect } = Socket.prototype

Socket.prototype.connect = function (...args) {
  // As `net.connect` has normalized them, or as they were given.
  const [options] = Array.isArray(args[0]) ? args[0] : args
  if (typeof options === 'object' && options.host === '127.0.0.1') options.localAddress = process.env.OWN_ADDRESS
  return connect.apply(this, args)
}
