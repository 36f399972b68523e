/** The records of nodes. A record is kept until its node leaves, or it expires. */
export interface NodeRegistry {
  /** Sets the record of a node, for `forMs`. @throws ProtocolError `log_unavailable` */
  register (node: string, text: string, forMs: number): Promise<void>

  /** @throws ProtocolError `log_unavailable` */
  unregister (node: string): Promise<void>

  /** Returns the records by node. @throws ProtocolError `log_unavailable` */
  nodes (): Promise<ReadonlyMap<string, string>>
}
