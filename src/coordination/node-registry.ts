/** What each node says of itself, until it leaves or its time is over. */
export interface NodeRegistry {
  /** Replaces what the node said before. @throws ProtocolError `log_unavailable` */
  register (node: string, text: string, forMs: number): Promise<void>

  /** @throws ProtocolError `log_unavailable` */
  unregister (node: string): Promise<void>

  /** By node. @throws ProtocolError `log_unavailable` */
  nodes (): Promise<ReadonlyMap<string, string>>
}
