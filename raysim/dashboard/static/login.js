// The form, and links that end with #token=...: what follows # is sent to no server, so it is sent as the form's.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("token").value = token;
  document.forms[0].submit();
}
document.getElementById("wrong").hidden = location.search !== "?wrong";
