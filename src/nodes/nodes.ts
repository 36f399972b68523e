import { Value } from '@sinclair/typebox/value'
import type { Log } from '../log/log.js'
import type { LeaseNote } from '../sources/leased-source.js'
import type { Lease } from '../coordination/leases.js'
import type { Coordination } from '../coordination/coordination.js'
import { NodeRecord, type NodesOverview } from './schema.js'

/** How long nodes may take to say how far they follow the log. */
const PATIENCE_MS = 1000

const KIND = 'positions'

/** By shard, the offset up to which a node has read the log; null for a shard that it does not follow. */
type Positions = ReadonlyArray<number | null>

/** An answer to a question of kind {@link KIND}, as JSON. */
interface PositionsAnswer {
  readonly node: string
  readonly positions: Positions
}

/** The nodes of a deployment, as seen from one of them. */
export class Nodes {
  constructor (
    private readonly coordination: Coordination,
    private readonly log: Log,
    private readonly own: string
  ) {}

  /** Lets this node answer how far it follows the log. Returns a function that ends this. */
  answerPositions (positions: () => Positions): () => void {
    return this.coordination.answer(question => {
      const { kind } = JSON.parse(question) as { readonly kind?: unknown }
      if (kind !== KIND) return ''
      return JSON.stringify({ node: this.own, positions: positions() } satisfies PositionsAnswer)
    })
  }

  /** Returns the records of all nodes. @throws ProtocolError `log_unavailable` */
  async all (): Promise<NodeRecord[]> {
    const texts = [...(await this.coordination.registry.nodes()).values()]
    const records = texts.flatMap(text => parseRecord(text) ?? [])
    return records.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
  }

  /** Returns the records of the other nodes. @throws ProtocolError `log_unavailable` */
  async others (): Promise<NodeRecord[]> {
    return (await this.all()).filter(({ id }) => id !== this.own)
  }

  /** Returns nodes, leases and shards as they are now. @throws ProtocolError `log_unavailable` */
  async overview (): Promise<NodesOverview> {
    const nodes = await this.all()
    const names = [...new Set(nodes.flatMap(({ sources }) => Object.keys(sources)))].sort()
    const leases = await Promise.all(names.map(async name => {
      return leaseOf(name, await this.coordination.leases.look(name))
    }))
    // Heads are read before positions, so that a node's lag is what it has not read of them.
    const heads = await this.log.head()
    const positions = await this.positions()
    const lagOf = (node: string, shard: number): number | undefined => {
      const position = positions.get(node)?.[shard]
      if (position === undefined || position === null) return undefined
      return Math.max(0, heads[shard]!.offset - position)
    }
    const lagOfAll = (node: string): number =>
      heads.reduce((sum, _, shard) => sum + (lagOf(node, shard) ?? 0), 0)
    const shards = heads.map(({ epoch, offset }, shard) => ({
      shard,
      epoch: epoch.toString(16).padStart(8, '0'),
      offset,
      followers: nodes.flatMap(({ id }) => {
        const lag = lagOf(id, shard)
        return lag === undefined ? [] : [{ node: id, lag }]
      })
    }))
    return {
      nodes: nodes.map(node => ({ ...node, ...(positions.has(node.id) ? { lag: lagOfAll(node.id) } : {}) })),
      leases,
      shards
    }
  }

  private async positions (): Promise<ReadonlyMap<string, Positions>> {
    const answers = await this.coordination.ask(JSON.stringify({ kind: KIND }), PATIENCE_MS)
    return new Map(answers.filter(text => text !== '').map(text => {
      const { node, positions } = JSON.parse(text) as PositionsAnswer
      return [node, positions]
    }))
  }
}

/** Returns undefined for the record of another version that this one cannot read. */
function parseRecord (text: string): NodeRecord | undefined {
  const record: unknown = JSON.parse(text)
  return Value.Check(NodeRecord, record) ? record : undefined
}

function leaseOf (source: string, { holder, note, switched }: Lease): NodesOverview['leases'][number] {
  const state = holder !== undefined ? 'running' : switched === false ? 'ended' : 'waiting'
  if (holder === undefined) return { source, state }
  const { name, token, since } = JSON.parse(note) as LeaseNote
  return {
    source,
    state,
    holder,
    name,
    ...(token === undefined ? {} : { token }),
    ...(since === undefined ? {} : { since: new Date(since).toISOString() })
  }
}
