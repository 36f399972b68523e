import jakarta.ws.rs.client.Client;
import jakarta.ws.rs.client.ClientBuilder;
import jakarta.ws.rs.sse.SseEventSource;
import java.util.concurrent.TimeUnit;

public final class JerseySse {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    Client client = ClientBuilder.newBuilder().build();
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      // It comes back by itself with Last-Event-ID, also behind a 503 with Retry-After.
      SseEventSource source = SseEventSource.target(client.target(report.ask())).reconnectingEvery(500, TimeUnit.MILLISECONDS).build();
      source.register(
        event -> report.takeEvent(event.getName(), event.readData()),
        error -> handover.put(0, error),
        () -> handover.put(0, "the stream ended"));
      source.open();
      Closed closed = handover.take();
      source.close(1, TimeUnit.SECONDS);
      report.pause(closed.reason(), 0);
    }
  }
}
