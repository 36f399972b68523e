import java.net.URI;
import java.util.List;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.Protocol;

public final class JavaWebSocket {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    // `reconnect` would go to the same URL; a new client has the cursor. It pings every 60 s by itself.
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      Draft_6455 draft = new Draft_6455(List.of(), List.of(new Protocol("tickwire.v1.json")));
      new WebSocketClient(report.askSocket(), draft) {
        @Override public void onOpen(ServerHandshake handshake) {}
        @Override public void onMessage(String text) { report.take(text); }
        @Override public void onClose(int code, String reason, boolean remote) { handover.put(code, reason); }
        @Override public void onError(Exception error) {}
      }.connect();
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
