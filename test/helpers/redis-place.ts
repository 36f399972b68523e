/**
 * The port by which the other members of its group know a server, and its settings beside the common ones.
 */
export interface Place {
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
}

/** Where a server of a group is, by its number and the ports that it listens on. */
export type Placing = (index: number, port: number, busPort: number) => Promise<Place>

/** By its own port. */
export const atItsPort: Placing = async (_index, port) => ({ port, settings: {} })

/** As on the command line of redis-server. */
export const asOptions = (settings: Readonly<Record<string, string>>): string[] => Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
