/**
 * All keys of what the nodes know together; each has a hash tag of its own, but for the two of a lease, which one script has both of. They begin as those of the log do, so that one
 * pattern of an access list covers both.
 *
 * | key | holds |
 * |---|---|
 * | `{tw:text:<key>}` | string: a text until it is taken, or its time is over |
 * | `{tw:count:<key>}` | string: how often was counted in a window, until that ends |
 * | `{tw:lease:<name>}:holder` | hash: the node that has a lease, and what it says of it, for some seconds |
 * | `{tw:lease:<name>}:switch` | string: `on` or `off`, as an operator has said, while some node looks at it and a day beyond |
 * | `{tw:nodes}` | hash: node → until when it is there, and what it says of itself |
 * | `{tw:questions}` | channel on which every node hears what one asks |
 * | `{tw:answers:<node>}` | channel on which a node hears what the others answer |
 */
export class CoordinationKeys {
  constructor (private readonly prefix: string) {}

  get questions (): string { return `{${this.prefix}:questions}` }
  text (key: string): string { return `{${this.prefix}:text:${key}}` }
  count (key: string): string { return `{${this.prefix}:count:${key}}` }
  get nodes (): string { return `{${this.prefix}:nodes}` }
  lease (name: string): string { return `{${this.prefix}:lease:${name}}:holder` }
  leaseSwitch (name: string): string { return `{${this.prefix}:lease:${name}}:switch` }
  answers (node: string): string { return `{${this.prefix}:answers:${node}}` }
}

/** Every command that these keys are used with, as far as an access list judges it. */
export function coordinationCommands (prefix: string): string[][] {
  const keys = new CoordinationKeys(prefix)
  const count = keys.count('')
  const [lease, leaseSwitch] = [keys.lease(''), keys.leaseSwitch('')]
  return [
    ['PING'], ['TIME'], ['SCRIPT', 'LOAD', ''], ['EVAL', '', '1', count], ['EVALSHA', '', '1', count], ['INCR', count], ['PTTL', count], ['PEXPIRE', count, '1'],
    ['SET', keys.text(''), ''], ['GET', keys.text('')], ['GETDEL', keys.text('')],
    ['HGET', lease, ''], ['HSET', lease, '', ''], ['PEXPIRE', lease, '1'], ['DEL', lease], ['SET', leaseSwitch, ''], ['GET', leaseSwitch], ['PEXPIRE', leaseSwitch, '1'],
    ['HSET', keys.nodes, '', ''], ['HDEL', keys.nodes, ''], ['HGETALL', keys.nodes], ['PTTL', keys.nodes], ['PEXPIRE', keys.nodes, '1'],
    ...[keys.questions, keys.answers('')].flatMap(channel => [['SPUBLISH', channel, ''], ['SSUBSCRIBE', channel]])
  ]
}
