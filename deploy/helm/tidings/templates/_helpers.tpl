{{- define "tidings.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "tidings.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidings.labels" -}}
{{ include "tidings.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* What cannot be right is refused before anything is made of it. */ -}}
{{- define "tidings.check" -}}
{{- $own := not .Values.database.url -}}
{{- if and $own (gt (int .Values.replicas) 1) -}}
{{- fail "replicas is more than 1, but database.url is empty: nodes share a PostgreSQL. Set database.url, or replicas to 1" -}}
{{- end -}}
{{- if not (or .Values.masterKey.value .Values.masterKey.existingSecret) -}}
{{- fail "there is no master key: set masterKey.existingSecret, or masterKey.value to what `openssl rand -base64 32` prints, and keep a copy" -}}
{{- end -}}
{{- if and .Values.masterKey.value .Values.masterKey.existingSecret -}}
{{- fail "masterKey.value and masterKey.existingSecret are both set: take one away" -}}
{{- end -}}
{{- if and .Values.database.password .Values.database.existingSecret -}}
{{- fail "database.password and database.existingSecret are both set: take one away" -}}
{{- end -}}
{{- if regexMatch "^[^@/]*//[^@/]*:[^@/]*@" .Values.database.url -}}
{{- fail "database.url holds a password: set database.existingSecret or database.password instead" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.enabled is set, but ingress.host is empty" -}}
{{- end -}}
{{- end -}}

{{- define "tidings.pod" -}}
metadata:
  labels:
    {{- include "tidings.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # Another secret is another node: it is read at the start.
    checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "tidings.name" . }}
  automountServiceAccountToken: false
  # For a Service of that name the cluster would set variables that begin like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .Values.drainSeconds .Values.shutdownGraceSeconds 10 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    # Always would open the files of a volume to their group again at every start.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologyKeys }}
  topologySpreadConstraints:
    {{- range .Values.topologyKeys }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "tidings.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: tidings
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      ports:
        - {name: http, containerPort: 8080}
      env: {{- include "tidings.env" . | nindent 8 }}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        # A migration of a large store takes its time.
        failureThreshold: 300
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if .Values.drainSeconds }}
      lifecycle:
        preStop:
          exec: {command: [sleep, {{ .Values.drainSeconds | quote }}]}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      {{- with .Values.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: data, mountPath: /data}
        {{- if include "tidings.passwordSecret" . }}
        - {name: database-password, mountPath: /etc/tidings/database, readOnly: true}
        {{- end }}
        {{- if .Values.database.caConfigMap }}
        - {name: database-ca, mountPath: /etc/tidings/database-ca, readOnly: true}
        {{- end }}
  volumes:
    {{- if .Values.database.url }}
    - name: data
      emptyDir: {sizeLimit: 16Mi}
    {{- end }}
    {{- with include "tidings.passwordSecret" . }}
    - name: database-password
      secret:
        secretName: {{ . }}
        defaultMode: 0440
        items:
          - {key: {{ ternary $.Values.database.existingSecretKey "database-password" (not (empty $.Values.database.existingSecret)) }}, path: password}
    {{- end }}
    {{- with .Values.database.caConfigMap }}
    - name: database-ca
      configMap: {name: {{ . }}}
    {{- end }}
{{- end -}}

{{- /* The Secret that has the database's password; nothing where there is none. */ -}}
{{- define "tidings.passwordSecret" -}}
{{- if .Values.database.url -}}
{{- if .Values.database.existingSecret -}}{{ .Values.database.existingSecret }}
{{- else if .Values.database.password -}}{{ include "tidings.name" . }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tidings.env" -}}
- {name: TIDINGS_DATA, value: /data/tidings}
- {name: TIDINGS_LISTEN, value: "0.0.0.0:8080"}
- {name: TIDINGS_LOG_FORMAT, value: json}
- {name: TIDINGS_LOG_LEVEL, value: {{ .Values.logLevel | quote }}}
- {name: TIDINGS_SHUTDOWN_GRACE_SECONDS, value: {{ .Values.shutdownGraceSeconds | quote }}}
- name: TIDINGS_MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.masterKey.existingSecret | default (include "tidings.name" .) }}
      key: {{ ternary .Values.masterKey.existingSecretKey "master-key" (not (empty .Values.masterKey.existingSecret)) }}
{{- if .Values.database.url }}
- {name: TIDINGS_DATABASE, value: {{ .Values.database.url | quote }}}
- {name: TIDINGS_DATABASE_CONNECTIONS, value: {{ .Values.database.connections | quote }}}
{{- if include "tidings.passwordSecret" . }}
- {name: TIDINGS_DATABASE_PASSWORD_FILE, value: /etc/tidings/database/password}
{{- end }}
{{- end }}
{{- with .Values.publicUrl }}
- {name: TIDINGS_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.egressAllow }}
- {name: TIDINGS_EGRESS_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.bootstrap.existingSecret }}
{{- range $name, $key := dict "TIDINGS_BOOTSTRAP_CLIENT_ID" "client-id" "TIDINGS_BOOTSTRAP_CLIENT_SECRET" "client-secret" "TIDINGS_BOOTSTRAP_ADMIN_EMAIL" "admin-email" "TIDINGS_BOOTSTRAP_ADMIN_PASSWORD" "admin-password" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.bootstrap.existingSecret }}, key: {{ $key }}, optional: true}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
