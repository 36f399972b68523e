import java.util.concurrent.ExecutionException;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

public final class JettyWebSocket {
  public static final class Listener implements Session.Listener.AutoDemanding {
    private final Report report;
    private final Closed.Handover handover;

    Listener(Report report, Closed.Handover handover) {
      this.report = report;
      this.handover = handover;
    }

    @Override public void onWebSocketText(String text) { report.take(text); }
    @Override public void onWebSocketClose(int code, String reason) { handover.put(code, reason); }
    @Override public void onWebSocketError(Throwable error) { handover.put(0, error); }
  }

  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // Messages may have 64 KiB, and 30 s may pass between two frames; the server's pings count.
    WebSocketClient client = new WebSocketClient();
    client.start();
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      ClientUpgradeRequest request = new ClientUpgradeRequest();
      request.setSubProtocols("tickwire.v1.json");
      try {
        client.connect(new Listener(report, handover), report.askSocket(), request).get();
      } catch (ExecutionException error) {
        handover.put(0, error.getCause());
      }
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
