import java.util.concurrent.CompletableFuture;

/** How a connection ended: a library's thread says it, the program's waits for it. The first word counts. */
record Closed(int code, Object reason) {
  static final class Handover {
    private final CompletableFuture<Closed> closed = new CompletableFuture<>();

    void put(int code, Object reason) {
      closed.complete(new Closed(code, reason));
    }

    Closed take() {
      return closed.join();
    }
  }
}
