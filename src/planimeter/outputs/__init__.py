"""What goes out into the world: each measurement, told by webhooks and MQTT to those whom the operator names."""
