/// Configurations as they are met on hosts, written down from what their distributions and guides define.
enum RealConfigurations {
  /// Every one of them, by a name for messages.
  static let all = [
    ("article", article), ("RHEL 8", rhel8), ("RHEL 9", rhel9), ("OpenShift", openshift), ("CIS", cis), ("Debian", debian),
  ]

  /// The groups that Red Hat's file had for ten years, and what the web application's guide adds to them.
  private static let redHatGroups = """
    @@define DBDIR /var/lib/aide
    @@define LOGDIR /var/log/aide
    database=file:@@{DBDIR}/aide.db.gz
    database_out=file:@@{DBDIR}/aide.db.new.gz
    gzip_dbout=yes
    report_url=file:@@{LOGDIR}/aide.log
    report_url=stdout
    FIPSR = p+i+n+u+g+s+m+c+acl+selinux+xattrs+sha256
    ALLXTRAHASHES = sha1+rmd160+sha256+sha512+tiger
    EVERYTHING = R+ALLXTRAHASHES
    NORMAL = FIPSR+sha512
    DIR = p+i+n+u+g+acl+selinux+xattrs
    PERMS = p+i+u+g+acl+selinux
    LOG = >
    LSPP = FIPSR+sha512
    DATAONLY =  p+n+u+g+s+acl+selinux+xattrs+sha256

    """

  /// An application's directories in full, but for what it writes itself.
  static let article =
    redHatGroups + """
      /var/www/html NORMAL
      !/var/www/html/var/log
      !/var/www/html/var/cache
      !/var/www/html/pub/media/uploads
      !/var/www/html/.*/cache$
      /boot   NORMAL
      /bin    NORMAL
      /sbin   NORMAL
      /lib    NORMAL
      /usr    NORMAL
      !/usr/src
      !/usr/tmp
      /etc    PERMS
      !/etc/mtab
      !/etc/.*~
      /root/.bash_history PERMS
      /home/[^/]+/\\.bash_history PERMS
      /root/.viminfo PERMS
      /root   NORMAL
      /var/log/lastlog PERMS
      /var/log LOG
      !/var/log/sa
      !/var/log/aide.log

      """

  static let rhel8 =
    redHatGroups + #"""
      /boot   NORMAL
      /bin    NORMAL
      /sbin   NORMAL
      /lib    NORMAL
      /lib64  NORMAL
      /opt    NORMAL
      /usr    NORMAL
      /root   NORMAL
      !/usr/src
      !/usr/tmp
      /etc    PERMS
      !/etc/mtab
      !/etc/.*~
      /etc/exports  NORMAL
      /etc/fstab    NORMAL
      /etc/passwd   NORMAL
      /etc/group    NORMAL
      /etc/shadow   NORMAL
      /etc/security/opasswd   NORMAL
      /etc/hosts.allow   NORMAL
      /etc/sudoers NORMAL
      /etc/skel NORMAL
      /etc/logrotate.d NORMAL
      /etc/resolv.conf DATAONLY
      /etc/nscd.conf NORMAL
      /var/log   LOG
      /var/run/utmp LOG
      !/var/log/sa
      !/var/log/aide.log
      /etc/audit/ LSPP
      /etc/libaudit.conf LSPP
      /usr/sbin/stunnel LSPP
      /var/spool/at LSPP
      /etc/at.allow LSPP
      /etc/cron.allow LSPP
      /etc/cron.d/ LSPP
      /var/spool/cron/root LSPP
      /etc/login.defs LSPP
      /etc/securetty LSPP
      /var/log/faillog LSPP
      /var/log/lastlog LSPP
      /etc/ssh/sshd_config LSPP
      /root/\..* PERMS
      /root/\.xauth.* PERMS

      """#

  static let rhel9 = """
    @@define DBDIR /var/lib/aide
    @@define LOGDIR /var/log/aide
    database_in=file:@@{DBDIR}/aide.db.gz
    database_out=file:@@{DBDIR}/aide.db.new.gz
    gzip_dbout=yes
    log_level=warning
    report_level=changed_attributes
    report_url=file:@@{LOGDIR}/aide.log
    report_url=stdout
    NORMAL = R+sha512-m-c
    CONTENT = sha512+ftype
    PERMS = ftype+p+u+g+acl+selinux+xattrs
    LOG = p+u+g+n+ANF+ARF+selinux+xattrs+ftype
    DATAONLY = ftype+p+l+n+u+g+s+acl+selinux+xattrs+sha256
    !/boot/grub2/grubenv
    /boot CONTENT
    /opt CONTENT
    /usr CONTENT
    !/usr/src
    !/usr/tmp
    /etc/hosts$ NORMAL
    /etc/host.conf$ NORMAL
    /etc/hostname$ NORMAL
    /etc/issue$ NORMAL
    /etc/passwd$ NORMAL
    /etc/shadow$ NORMAL
    /etc/sudoers$ NORMAL
    /etc/sudoers.d NORMAL
    /etc/ssh/sshd_config$ NORMAL
    /etc/pam.d NORMAL
    /etc/security NORMAL
    /etc/cron.d NORMAL
    /etc/crontab$ NORMAL
    !/etc/NetworkManager/system-connections
    !/etc/mtab$
    !/etc/.*~
    /etc PERMS
    /var/log/lastlog$ LOG
    /var/log/messages$ LOG
    /var/log/secure$ LOG
    /var/log/journal LOG-xattrs-n
    !/var/log/sa
    !/root/.xauth*
    /root NORMAL

    """

  static let openshift = """
    @@define DBDIR /hostroot/etc/kubernetes
    database=file:@@{DBDIR}/aide.db.gz
    database_out=file:@@{DBDIR}/aide.db.gz.new
    gzip_dbout=yes
    report_url=stdout
    PERMS = p+u+g+acl+selinux+xattrs
    CONTENT_EX = sha512+ftype+p+u+g+n+acl+selinux+xattrs
    DATAONLY = p+n+u+g+s+acl+selinux+xattrs+sha512
    NORMAL = p+i+n+u+g+s+m+c+acl+selinux+xattrs+sha512
    /boot/        CONTENT_EX
    /root/\\..* PERMS
    /root/   CONTENT_EX
    !/root/\\.kube
    /usr/        CONTENT_EX
    !/usr/src/
    !/usr/tmp/
    /etc/    CONTENT_EX
    !/etc/.*~
    !/etc/kubernetes/static-pod-resources
    !/etc/cni
    !/etc/docker/certs.d$
    !/etc/selinux/targeted

    """

  static let cis = """
    # Audit Tools
    /sbin/auditctl p+i+n+u+g+s+b+acl+xattrs+sha512
    /sbin/auditd p+i+n+u+g+s+b+acl+xattrs+sha512
    /sbin/ausearch p+i+n+u+g+s+b+acl+xattrs+sha512
    /sbin/aureport p+i+n+u+g+s+b+acl+xattrs+sha512
    /sbin/autrace p+i+n+u+g+s+b+acl+xattrs+sha512
    /sbin/augenrules p+i+n+u+g+s+b+acl+xattrs+sha512

    """

  static let debian = #"""
    @@define LOGEXT gz
    @@if not defined RUN
    @@define RUN run
    @@endif
    database_in=file:/var/lib/aide/aide.db
    report_ignore_e2fsattrs=VNIE
    Checksums = H
    database_attrs = Checksums
    OwnerMode = p+u+g+ftype
    Size = s+b
    InodeData = OwnerMode+n+i+Size+l+X
    StaticFile = m+c+Checksums
    Full = InodeData+StaticFile
    VarTime = InodeData+Checksums
    VarInode = VarTime-i
    VarFile = OwnerMode+n+l+X
    VarDir = OwnerMode+n+i+X
    RecreatedDir = OwnerMode+n+X
    ActLog = Full+growing+ANF+I
    RotLog = Full
    CompSerLog = Full+I+compressed
    MidlSerLog = Full+I
    LastSerLog = Full+ARF
    Log = OwnerMode+n+growing+s+X
    /var/log/(auth|syslog|daemon)\\.log$ f ActLog
    /var/log/(auth|syslog|daemon)\\.log\\.1$ f RotLog
    /var/log/(auth|syslog|daemon)\\.log\\.2\\.@@{LOGEXT}$ f CompSerLog
    /var/log/(auth|syslog|daemon)\\.log\\.[34]\\.@@{LOGEXT}$ f MidlSerLog
    /var/log/lastlog$ f Log
    /var/log$ d VarDir
    /@@{RUN}/agetty\\.reload$ f VarFile
    /@@{RUN}$ d RecreatedDir
    !/@@{RUN}/user/[[:digit:]]+$ d
    !/(dev|proc|sys)$ d
    /etc/mtab$ l VarFile
    /etc/resolv\\.conf$ f VarFile
    /etc/ssl/certs/ca-certificates\\.crt$ VarTime
    !/var/cache/apt/archives/[-[:alnum:]%.~_+]+\\.deb$ f
    !/home d
    / 0 Full

    """#

  /// What is asked of each.
  static let paths = [
    "d:/", "d:/etc", "f:/etc/passwd", "f:/etc/passwd-", "f:/etcetera", "l:/etc/mtab", "f:/etc/mtab.d/x", "f:/etc/hosts",
    "f:/etc/hosts.allow",
    "f:/etc/foo~", "f:/etc/ssh/sshd_config", "f:/etc/resolv.conf", "f:/etc/cron.d/x", "d:/etc/audit", "f:/etc/audit/audit.rules",
    "f:/etc/ssl/certs/ca-certificates.crt", "f:/etc/NetworkManager/system-connections/x", "f:/usr/bin/env", "d:/usr/src",
    "f:/usr/src/linux/x",
    "f:/usr/srcx", "l:/sbin/auditctl", "f:/sbin/auditd", "f:/boot/grub2/grubenv", "f:/boot/vmlinuz", "d:/root", "f:/root/.bash_history",
    "f:/root/.xauthXYZ", "f:/root/x", "f:/root/.kube/config", "f:/home/al/.bash_history", "d:/home", "f:/home/al/x", "d:/var/log",
    "f:/var/log/lastlog", "f:/var/log/auth.log", "f:/var/log/auth.log.1", "f:/var/log/auth.log.2.gz", "f:/var/log/auth.log.3.gz",
    "f:/var/log/sa/sa01", "f:/var/log/sarah", "f:/var/log/journal/x/system.journal", "f:/var/www/html/index.php",
    "f:/var/www/html/var/log/system.log", "d:/var/www/html/app/cache", "f:/var/www/html/app/cache/x",
    "f:/var/www/html/pub/media/uploads/a.png",
    "d:/run", "d:/run/user/1000", "f:/run/user/1000/x", "f:/run/agetty.reload", "d:/proc", "f:/proc/1/stat", "s:/run/x.sock",
    "f:/var/cache/apt/archives/aide_0.18-1.deb", "f:/opt/x", "f:/var/spool/cron/root",
  ]
}
