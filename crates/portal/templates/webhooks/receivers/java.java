// Receives webhooks. Java 17 or later, no packages.
{% if scheme == Scheme::Unsigned %}//   java Receiver.java
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
{% else %}//   WEBHOOK_SECRET='the secret of the webhook' java Receiver.java
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
{% endif %}import java.nio.charset.StandardCharsets;
{% if scheme != Scheme::Unsigned %}import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
{% endif %}{% if scheme == Scheme::Token %}import java.util.HexFormat;
{% endif %}import java.util.regex.Matcher;
import java.util.regex.Pattern;
{% if scheme != Scheme::Unsigned %}import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
{% endif %}
public class Receiver {
{% if scheme != Scheme::Unsigned %}  private static final String SECRET = System.getenv("WEBHOOK_SECRET");

  private static byte[] hmac(byte[] key, byte[]... parts) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    for (byte[] part : parts) {
      mac.update(part);
    }
    return mac.doFinal();
  }

  private static String header(Headers headers, String name) {
    String value = headers.getFirst(name);
    return value == null ? "" : value;
  }

{% endif %}{% if scheme == Scheme::Token %}  /** x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body. */
  private static boolean verify(Headers headers, byte[] body) throws GeneralSecurityException {
    String[] parts = header(headers, "x-webhook-secret").split("\\.");
    if (parts.length != 3) {
      return false;
    }
    byte[] signed = (parts[0] + "." + parts[1]).getBytes(StandardCharsets.UTF_8);
    byte[] expected = hmac(SECRET.getBytes(StandardCharsets.UTF_8), signed);
    if (!MessageDigest.isEqual(expected, Base64.getUrlDecoder().decode(parts[2]))) {
      return false;
    }
    String claims = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
    String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
    long expires = Long.parseLong(member(claims, "exp", "(\\d+)"));
    return expires + 60 > System.currentTimeMillis() / 1000
        && digest.equals(member(claims, "bodySha256", "\"([0-9a-f]+)\""));
  }

{% else if scheme == Scheme::Standard %}  /** Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now. */
  private static boolean verify(Headers headers, byte[] body) throws GeneralSecurityException {
    byte[] key = SECRET.startsWith("whsec_")
        ? Base64.getDecoder().decode(SECRET.substring(6))
        : SECRET.getBytes(StandardCharsets.UTF_8);
    String timestamp = header(headers, "webhook-timestamp");
    long age = System.currentTimeMillis() / 1000 - Long.parseLong(timestamp);
    if (Math.abs(age) > 300) {
      return false;
    }
    String before = header(headers, "webhook-id") + "." + timestamp + ".";
    byte[] expected = hmac(key, before.getBytes(StandardCharsets.UTF_8), body);
    for (String one : header(headers, "webhook-signature").split(" ")) {
      if (one.startsWith("v1,") && MessageDigest.isEqual(expected, Base64.getDecoder().decode(one.substring(3)))) {
        return true;
      }
    }
    return false;
  }

{% endif %}  /** One member of a JSON text that is known to be ours; use your JSON library where you have one. */
  private static String member(String json, String name, String value) {
    Matcher found = Pattern.compile("\"" + name + "\":" + value).matcher(json);
    return found.find() ? found.group(1) : "0";
  }

  private static int receive(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
{% if scheme != Scheme::Unsigned %}    try {
      if (!verify(exchange.getRequestHeaders(), body)) {
        return 401;
      }
    } catch (GeneralSecurityException | IllegalArgumentException refused) {
      return 401;
    }
{% endif %}    String event = member(new String(body, StandardCharsets.UTF_8), "eventKey", "\"([^\"]+)\"");
    // An event can come more than once, always with the same webhook-id: pass over what you have done already.
    System.out.println(exchange.getRequestHeaders().getFirst("webhook-id") + " " + event);
    return 200;
  }

  public static void main(String[] arguments) throws IOException {
{% if scheme != Scheme::Unsigned %}    if (SECRET == null) {
      throw new IllegalStateException("WEBHOOK_SECRET is not set");
    }
{% endif %}    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "3000"));
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.createContext("/", exchange -> {
      exchange.sendResponseHeaders(receive(exchange), -1);
      exchange.close();
    });
    server.start();
  }
}
