import com.neovisionaries.ws.client.WebSocket;
import com.neovisionaries.ws.client.WebSocketAdapter;
import com.neovisionaries.ws.client.WebSocketException;
import com.neovisionaries.ws.client.WebSocketFactory;
import com.neovisionaries.ws.client.WebSocketFrame;

public final class NvWebSocket {
  public static void main(String[] args) throws Exception {
    Report report = new Report(args);
    WebSocketFactory factory = new WebSocketFactory().setConnectionTimeout(10_000);
    while (true) {
      Closed.Handover handover = new Closed.Handover();
      WebSocket socket = factory.createSocket(report.askSocket()).addProtocol("tickwire.v1.json");
      socket.addListener(new WebSocketAdapter() {
        @Override public void onTextMessage(WebSocket from, String text) { report.take(text); }
        @Override public void onDisconnected(WebSocket from, WebSocketFrame server, WebSocketFrame client, boolean byServer) {
          WebSocketFrame frame = byServer ? server : client;
          handover.put(frame == null ? 0 : frame.getCloseCode(), frame == null ? "the network" : frame.getCloseReason());
        }
      });
      try {
        socket.connect();
      } catch (WebSocketException error) {
        handover.put(0, error.getMessage());
      }
      Closed closed = handover.take();
      report.pause(closed.code() + " " + closed.reason(), closed.code());
    }
  }
}
